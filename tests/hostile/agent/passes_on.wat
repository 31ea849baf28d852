;; Hands its conversation to the model and answers with what it says.
(import "lapidary:plugin/inference@0.1.0" "generate" (func $ask (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
(data (i32.const 96) "\00\00\00\00\00\00\00\00")                       ;; ok: text
(func $run (export "lapidary:plugin/pipeline@0.1.0#run") (param i32 i32) (result i32)
  (call $ask
    (i32.const 0) (i32.const 0) (i32.const 0) (local.get 0) (local.get 1)
    (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 0)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1024))
  (if (i32.load8_u (i32.const 1024)) (then (unreachable)))
  (i32.store (i32.const 104) (i32.load (i32.const 1028)))
  (i32.store (i32.const 108) (i32.load (i32.const 1032)))
  (i32.const 96))
