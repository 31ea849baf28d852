;; Stops at a token that is none of its control tokens.
(data (i32.const 8) "<end>")
(data (i32.const 16) "\08\00\00\00\05\00\00\00")
(data (i32.const 32) "\08\00\00\00\05\00\00\00"
                     "\10\00\00\00\00\00\00\00"                        ;; no control tokens
                     "\10\00\00\00\01\00\00\00")
(func $describe (export "lapidary:plugin/format@0.1.0#describe") (result i32)
  (i32.const 32))
