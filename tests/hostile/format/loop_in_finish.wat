;; Never ends.
(func $finish (export "lapidary:plugin/parser@0.1.0#[method]session.finish")
  (param i32 i32) (result i32)
  (loop $forever (br $forever))
  (unreachable))
