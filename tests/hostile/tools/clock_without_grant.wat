;; Wants the time, and the operator did not grant it.
(import "lapidary:plugin/clock@0.1.0" "now" (func $now (param i32)))
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (call $now (i32.const 512))
  (i32.const 96))
