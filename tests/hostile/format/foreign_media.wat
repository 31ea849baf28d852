;; Places media item 7 of a conversation that has none.
(data (i32.const 208) "\02\00\00\00\07\00\00\00\00\00\00\00")
(data (i32.const 224) "\00\00\00\00\d0\00\00\00\01\00\00\00\01\00\00\00")
(func $render (export "lapidary:plugin/template@0.1.0#render")
  (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
  (i32.const 224))
