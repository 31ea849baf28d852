;; Makes of every piece an event of 4 KiB.
(data (i32.const 200) "\00\00\00\00\00\20\00\00\00\10\00\00")          ;; text: 4096 bytes at 8192
(data (i32.const 240) "\00\00\00\00\c8\00\00\00\01\00\00\00")          ;; ok: one event
(func $push (export "lapidary:plugin/parser@0.1.0#[method]session.push")
  (param i32 i32 i32) (result i32)
  (i32.const 240))
