;; Logs bytes that are no UTF-8.
(import "lapidary:plugin/log@0.1.0" "emit" (func $emit (param i32 i32 i32)))
(data (i32.const 1000) "\ff\fe")
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (call $emit (i32.const 1) (i32.const 1000) (i32.const 2))
  (i32.const 96))
