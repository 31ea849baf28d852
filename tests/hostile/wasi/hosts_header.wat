;; Tries to set the header `host`, and answers with the error's number.
(import "wasi:http/types@0.2.0" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))
(data (i32.const 1500) "Host")
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (call $append (call $new_fields)
    (i32.const 1500) (i32.const 4) (i32.const 1500) (i32.const 4) (i32.const 1200))
  (if (i32.eqz (i32.load8_u (i32.const 1200))) (then (unreachable)))
  (call $refused (i32.const 1201)))
