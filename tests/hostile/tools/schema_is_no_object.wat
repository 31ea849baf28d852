;; Its parameters are `[]`.
(data (i32.const 8) "<end>")
(data (i32.const 16) "[]")
(data (i32.const 32) "\08\00\00\00\05\00\00\00\08\00\00\00\05\00\00\00\10\00\00\00\02\00\00\00"
                     "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
(data (i32.const 80) "\20\00\00\00\01\00\00\00")
(func $definitions (export "lapidary:plugin/tools@0.1.0#definitions") (result i32)
  (i32.const 80))
