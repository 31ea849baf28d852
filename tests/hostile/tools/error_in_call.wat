;; Answers each call with an error of its own.
(data (i32.const 300) "it broke")
(data (i32.const 320) "\01\00\00\00\06\00\00\00"                        ;; err: internal
                      "\2c\01\00\00\02\00\00\00"                        ;; code "it"
                      "\2c\01\00\00\08\00\00\00"                        ;; message "it broke"
                      "\00\00\00\00\00\00\00\00\00\00\00\00")           ;; at nothing
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (i32.const 320))
