//! A tool as its author writes it and as the host sees it.

#![cfg(feature = "schema")]

use lapidary_guest::{
    Content, Error, ErrorKind, Failure, JsonSchema, Tool, ToolCall, ToolOutput, ToolResult,
    ToolTraits, definition, run,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// How much of what.
#[derive(Deserialize, JsonSchema)]
struct Order {
    /// The thing.
    thing: String,
    /// How many of it.
    count: Option<u32>,
    size: Size,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Size {
    Small,
    Large,
}

struct Shop;

impl Tool for Shop {
    type Arguments = Order;
    const NAME: &str = "order";
    const DESCRIPTION: &str = "Orders a thing.";

    fn traits() -> ToolTraits {
        ToolTraits::DESTRUCTIVE | ToolTraits::NEEDS_APPROVAL
    }

    fn call(order: Order) -> ToolResult {
        let size = if matches!(order.size, Size::Large) {
            "large"
        } else {
            "small"
        };
        match order.thing.as_str() {
            "unicorn" => Err("no unicorns left".into()),
            "fire" => Err(Error::new(ErrorKind::Internal, "shop.burns", "shop: it burns").into()),
            thing => Ok(format!("{} {size} {thing}", order.count.unwrap_or(1)).into()),
        }
    }
}

fn call(arguments: Value) -> Result<ToolOutput, Error> {
    let (id, name) = ("1".to_owned(), "order".to_owned());
    run::<Shop>(&ToolCall {
        id,
        name,
        arguments: arguments.to_string(),
    })
}

#[test]
fn the_schema_speaks_the_language_of_models() {
    let schema: Value = serde_json::from_str(&definition::<Shop>().parameters).expect("JSON");
    let expected = json!({
        "type": "object",
        "description": "How much of what.",
        "properties": {
            "thing": {"type": "string", "description": "The thing."},
            "count": {"type": "integer", "description": "How many of it.", "minimum": 0, "nullable": true},
            "size": {"type": "string", "enum": ["small", "large"]},
        },
        "required": ["thing", "size"],
    });
    assert_eq!(schema, expected);
}

#[test]
fn a_definition_carries_what_the_tool_says() {
    let definition = definition::<Shop>();
    assert_eq!(
        (definition.name.as_str(), definition.response),
        ("order", None)
    );
    assert_eq!(
        definition.traits,
        ToolTraits::DESTRUCTIVE | ToolTraits::NEEDS_APPROVAL
    );
}

#[test]
fn a_result_is_content() {
    let output = call(json!({"thing": "hat", "size": "large"})).expect("an output");
    assert_eq!(output.content, Content::Text("1 large hat".into()));
    assert!(!output.is_error);
}

#[test]
fn what_the_model_may_mend_is_an_output() {
    for (arguments, part) in [
        (
            json!({"thing": "unicorn", "size": "small"}),
            "no unicorns left",
        ),
        (
            json!({"thing": "hat"}),
            "arguments of order: missing field `size`",
        ),
        (
            json!({"thing": 7, "size": "small"}),
            "arguments of order: invalid type",
        ),
    ] {
        let output = call(arguments).expect("an output");
        let Content::Text(text) = output.content else {
            panic!("text")
        };
        assert!(output.is_error && text.contains(part), "{text}");
    }
}

#[test]
fn what_is_for_the_operator_is_an_error() {
    let error = call(json!({"thing": "fire", "size": "small"})).expect_err("an error");
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Internal, "shop.burns")
    );
}

#[test]
fn an_object_is_structured_content() {
    let Value::Object(map) = json!({"a": 1}) else {
        panic!("object")
    };
    assert_eq!(Content::from(map), Content::Structured("{\"a\":1}".into()));
    assert!(matches!(Failure::from("x"), Failure::Model(text) if text == "x"));
}
