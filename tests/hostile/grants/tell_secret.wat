;; Tells the secret whose name is the call's id; an error where it has none.
(import "lapidary:plugin/secrets@0.1.0" "get" (func $ask (param i32 i32 i32)))
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (call $ask (local.get 0) (local.get 1) (i32.const 1024))
  (if (i32.load8_u (i32.const 1024))
    (then (i32.store8 (i32.const 1024) (i32.const 0)))
    (else
      (i32.store8 (i32.const 1024) (i32.const 1))
      (i32.store (i32.const 1032) (i32.const 8))
      (i32.store (i32.const 1036) (i32.const 5))))
  (call $tell))
