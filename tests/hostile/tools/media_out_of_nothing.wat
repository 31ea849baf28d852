;; Answers with a picture it cannot have.
(data (i32.const 200) "\01\00\00\00\03\00\00\00\00\00\00\00")          ;; part: media 3
(data (i32.const 224) "\00\00\00\00"                                   ;; ok
                      "\01\00\00\00\c8\00\00\00\01\00\00\00"           ;; one part
                      "\00\00\00\00")
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (i32.const 224))
