;; Asks the model what is the call's id, with the host's tools, and answers with its answer.
(import "lapidary:plugin/inference@0.1.0" "generate" (func $ask (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
(data (i32.const 2048) "\02")                                          ;; from the user
(data (i32.const 2064) "\01\00\00\00\00\00\00\00")                     ;; with content: text
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (i32.store (i32.const 2072) (local.get 0))
  (i32.store (i32.const 2076) (local.get 1))
  (call $ask
    (i32.const 0) (i32.const 0) (i32.const 0)                          ;; any model
    (i32.const 2048) (i32.const 1)                                     ;; one message
    (i32.const 0) (i32.const 0)                                        ;; no thinking
    (i32.const 1) (i32.const 24)                                       ;; 24 tokens
    (i32.const 1)                                                      ;; with tools
    (i32.const 0) (i32.const 0) (i32.const 0)
    (i32.const 1024))
  (call $tell))
