//! A calculator for models: one arithmetic expression in, one number out.
//!
//! Computes only: the component imports no function.

mod expression;
mod number;

use lapidary_guest::{Arguments, Tool, ToolResult, ToolTraits, export_tool};
use serde::Deserialize;

/// What the model passes.
#[derive(Debug, Deserialize)]
pub struct Sum {
    /// The expression to evaluate.
    pub expression: String,
}

impl Arguments for Sum {
    // By hand: deriving it would add half of this component's size.
    fn schema() -> String {
        include_str!("schema.json").trim_end().to_owned()
    }
}

/// The tool `calculator`.
pub struct Calculator;

impl Tool for Calculator {
    type Arguments = Sum;
    const NAME: &str = "calculator";
    const DESCRIPTION: &str = "Evaluates an arithmetic expression and returns the number.";

    fn traits() -> ToolTraits {
        ToolTraits::READ_ONLY | ToolTraits::IDEMPOTENT
    }

    fn call(sum: Sum) -> ToolResult {
        let value = expression::evaluate(&sum.expression)?;
        Ok(number::shown(value).into())
    }
}

export_tool!(Calculator);
