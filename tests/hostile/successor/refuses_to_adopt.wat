;; Says that it cannot take over, with half of it done.
(import "lapidary:plugin/key-value@0.1.0" "get" (func $ask (param i32 i32 i32)))
(import "lapidary:plugin/key-value@0.1.0" "set" (func $keep (param i32 i32 i32 i32 i32)))
(data (i32.const 600) "call_0")
(data (i32.const 640) "\01\00\00\00\01\00\00\00"                         ;; error: unsupported
                      "\58\02\00\00\04\00\00\00"                         ;; code "call"
                      "\58\02\00\00\04\00\00\00"                         ;; message "call"
                      "\00\00\00\00\00\00\00\00\00\00\00\00")
(func $adopt (export "lapidary:plugin/handover@0.1.0#adopt") (param i32 i32) (result i32)
  (call $keep (i32.const 600) (i32.const 6) (local.get 0) (local.get 1) (i32.const 1024))
  (i32.const 640))
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (call $ask (local.get 0) (local.get 1) (i32.const 1024))
  (i32.store (i32.const 1028) (i32.load (i32.const 1032)))
  (i32.store (i32.const 1032) (i32.load (i32.const 1036)))
  (call $tell))
