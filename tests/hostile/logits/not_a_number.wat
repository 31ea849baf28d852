;; Adds a NaN, and to tokens that there are none of.
(data (i32.const 64) "\01\00\00\00\00\00\c0\7f\ff\ff\ff\ff\00\00\80\3f")
(func $step (export "lapidary:plugin/processor@0.1.0#[method]session.step")
  (param i32 i32 i32 i32) (result i32)
  (call $view_add (local.get 3) (i32.const 64) (i32.const 2))
  (call $view_drop (local.get 3))
  (i32.const 112))
