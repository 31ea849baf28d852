;; Logs 64 KiB at a time, without end.
(import "lapidary:plugin/log@0.1.0" "emit" (func $emit (param i32 i32 i32)))
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (loop $forever
    (call $emit (i32.const 1) (i32.const 0x10000) (i32.const 0x10000))
    (call $emit (i32.const 1) (i32.const 8) (i32.const 5))
    (br $forever))
  (unreachable))
