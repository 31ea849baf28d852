;; Makes a session in push and drops it again, which never ends.
(import "[export]lapidary:plugin/parser@0.1.0" "[resource-drop]session" (func $session_drop (param i32)))
(func $dtor (export "lapidary:plugin/parser@0.1.0#[dtor]session") (param i32)
  (loop $forever (br $forever)))
(func $push (export "lapidary:plugin/parser@0.1.0#[method]session.push")
  (param i32 i32 i32) (result i32)
  (call $session_drop (call $session_new (i32.const 2)))
  (i32.const 112))
