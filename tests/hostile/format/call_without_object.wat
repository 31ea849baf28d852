;; A complete call whose arguments are `7`.
(data (i32.const 200) "7")
(data (i32.const 208) "\04\00\00\00"                                   ;; event: call-end
                      "\00\00\00\00\08\00\00\00\05\00\00\00"           ;; index, name
                      "\c8\00\00\00\01\00\00\00")                      ;; arguments
(data (i32.const 240) "\00\00\00\00\d0\00\00\00\01\00\00\00")
(func $push (export "lapidary:plugin/parser@0.1.0#[method]session.push")
  (param i32 i32 i32) (result i32)
  (i32.const 240))
