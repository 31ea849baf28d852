;; Asks the model about a picture that nobody gave it, and answers with the error's code.
(import "lapidary:plugin/inference@0.1.0" "generate" (func $ask (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
(data (i32.const 64) "\01\00\00\00\07\00\00\00\00\00\00\00")           ;; part: media 7, an image
(data (i32.const 2048) "\02")                                          ;; from the user
(data (i32.const 2064) "\01\00\00\00\01\00\00\00\40\00\00\00\01\00\00\00") ;; with content: parts, one
(data (i32.const 96) "\00\00\00\00\00\00\00\00")                       ;; ok: text
(func $run (export "lapidary:plugin/pipeline@0.1.0#run") (param i32 i32) (result i32)
  (call $ask
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2048) (i32.const 1)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1024))
  (i32.store (i32.const 104) (i32.load (i32.const 1032)))
  (i32.store (i32.const 108) (i32.load (i32.const 1036)))
  (i32.const 96))
