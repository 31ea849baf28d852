;; Asks scores of a handle that it made up.
(func $step (export "lapidary:plugin/processor@0.1.0#[method]session.step")
  (param i32 i32 i32 i32) (result i32)
  (call $view_add (i32.const 77) (i32.const 64) (i32.const 0))
  (i32.const 112))
