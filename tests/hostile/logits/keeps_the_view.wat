;; Does not give the scores back.
(func $step (export "lapidary:plugin/processor@0.1.0#[method]session.step")
  (param i32 i32 i32 i32) (result i32)
  (i32.const 112))
