;; Reads the path that is the call's id.
(import "lapidary:plugin/files@0.1.0" "read" (func $ask (param i32 i32 i32)))
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (call $ask (local.get 0) (local.get 1) (i32.const 1024))
  (call $tell))
