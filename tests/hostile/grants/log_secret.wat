;; Logs the secret whose name is the call's id, and panics.
(import "lapidary:plugin/secrets@0.1.0" "get" (func $ask (param i32 i32 i32)))
(import "lapidary:plugin/log@0.1.0" "emit" (func $emit (param i32 i32 i32)))
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (call $ask (local.get 0) (local.get 1) (i32.const 1024))
  (call $emit (i32.const 1) (i32.load (i32.const 1028)) (i32.load (i32.const 1032)))
  (unreachable))
