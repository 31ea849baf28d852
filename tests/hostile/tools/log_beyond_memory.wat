;; Logs 4 GiB in one line.
(import "lapidary:plugin/log@0.1.0" "emit" (func $emit (param i32 i32 i32)))
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (call $emit (i32.const 1) (i32.const 0) (i32.const 0xffffffff))
  (i32.const 96))
