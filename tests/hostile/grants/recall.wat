;; Tells what is kept under the call's id.
(import "lapidary:plugin/key-value@0.1.0" "get" (func $ask (param i32 i32 i32)))
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (call $ask (local.get 0) (local.get 1) (i32.const 1024))
  (i32.store (i32.const 1028) (i32.load (i32.const 1032)))
  (i32.store (i32.const 1032) (i32.load (i32.const 1036)))
  (call $tell))
