;; Writes the call's arguments to the path that is its id.
(import "lapidary:plugin/files@0.1.0" "write" (func $ask (param i32 i32 i32 i32 i32)))
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (call $ask (local.get 0) (local.get 1) (local.get 4) (local.get 5) (i32.const 1024))
  (call $tell))
