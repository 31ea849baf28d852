;; Never opens a session.
(func $open (export "lapidary:plugin/processor@0.1.0#[static]session.open") (param i32 i32) (result i32)
  (loop $forever (br $forever))
  (unreachable))
