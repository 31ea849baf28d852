;; Says that its prompt is text. It is not.
(data (i32.const 200) "\ff\fe\fd")
(data (i32.const 208) "\01\00\00\00\c8\00\00\00\03\00\00\00")
(data (i32.const 224) "\00\00\00\00\d0\00\00\00\01\00\00\00\01\00\00\00")
(func $render (export "lapidary:plugin/template@0.1.0#render")
  (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
  (i32.const 224))
