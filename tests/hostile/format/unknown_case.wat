;; A piece of a kind that does not exist.
(data (i32.const 208) "\63\00\00\00\08\00\00\00\05\00\00\00")
(data (i32.const 224) "\00\00\00\00\d0\00\00\00\01\00\00\00\01\00\00\00")
(func $render (export "lapidary:plugin/template@0.1.0#render")
  (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
  (i32.const 224))
