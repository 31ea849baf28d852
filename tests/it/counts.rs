//! Soft tokens of every length of recording and of thousands of sizes of picture, as transformers counts them.
//!
//! `models/families/media.py counts` writes the references.

use lapidary::{ImageBudget, soft_tokens_of, soft_tokens_of_samples};

const BUDGETS: [u32; 5] = [70, 140, 280, 560, 1120];

#[test]
fn pictures_of_two_thousand_sizes_cost_what_the_reference_says_at_every_budget() {
    let lines = include_str!("counts/pictures.txt").lines();
    for line in lines.clone() {
        let numbers: Vec<u32> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        let (size, counts) = numbers.split_at(2);
        let found = BUDGETS.map(|budget| {
            let budget = ImageBudget::try_from(budget).unwrap();
            u32::try_from(soft_tokens_of(size[0], size[1], budget)).unwrap()
        });
        assert_eq!(found, counts, "{size:?}");
    }
    assert_eq!(lines.count(), 2000);
}

#[test]
fn recordings_of_every_length_up_to_thirty_seconds_cost_what_the_reference_says() {
    let starts: Vec<usize> = include_str!("counts/recordings.txt")
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    for sample_count in 1..=480_000 {
        let expected = starts.partition_point(|start| *start <= sample_count) - 1;
        let found = soft_tokens_of_samples(sample_count);
        assert_eq!(found, expected, "{sample_count} samples");
    }
}
