;; Gets the address that is the call's id, and answers with the body.
(import "lapidary:plugin/http@0.1.0" "send" (func $ask (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
(data (i32.const 1000) "GET")
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (call $ask
    (i32.const 1000) (i32.const 3) (local.get 0) (local.get 1)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1024))
  (if (i32.eqz (i32.load8_u (i32.const 1024)))
    (then
      (i32.store (i32.const 1028) (i32.load (i32.const 1040)))
      (i32.store (i32.const 1032) (i32.load (i32.const 1044)))))
  (call $tell))
