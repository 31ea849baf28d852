;; Never understands a token.
(func $push (export "lapidary:plugin/parser@0.1.0#[method]session.push")
  (param i32 i32 i32) (result i32)
  (loop $forever (br $forever))
  (unreachable))
