;; A piece whose 2 GiB lie mostly outside of its memory.
(data (i32.const 208) "\01\00\00\00\08\00\00\00\ff\ff\ff\7f")
(data (i32.const 224) "\00\00\00\00\d0\00\00\00\01\00\00\00\01\00\00\00")
(func $render (export "lapidary:plugin/template@0.1.0#render")
  (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
  (i32.const 224))
