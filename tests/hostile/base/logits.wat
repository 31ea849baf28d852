;; A logits processor that behaves: token 1 becomes likelier by 10; see format.wat.

;; part $session_new
(import "[export]lapidary:plugin/processor@0.1.0" "[resource-new]session" (func $session_new (param i32) (result i32)))

;; part $view_drop
(import "lapidary:plugin/logits@0.1.0" "[resource-drop]view" (func $view_drop (param i32)))

;; part $view_add
(import "lapidary:plugin/logits@0.1.0" "[method]view.add" (func $view_add (param i32 i32 i32)))

;; part $memory
(memory $memory (export "memory") 4)

;; part $realloc
(global $top (mut i32) (i32.const 4096))
(func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
  (global.set $top (i32.add (local.get $at) (local.get 3)))
  (local.get $at))

;; part $open
(func $open (export "lapidary:plugin/processor@0.1.0#[static]session.open") (param i32 i32) (result i32)
  (i32.store (i32.const 100) (call $session_new (i32.const 1)))        ;; ok: a new session
  (i32.const 96))

;; part $step
(data (i32.const 64) "\01\00\00\00\00\00\20\41")                       ;; token 1, 10.0
(func $step (export "lapidary:plugin/processor@0.1.0#[method]session.step")
  (param i32 i32 i32 i32) (result i32)
  (call $view_add (local.get 3) (i32.const 64) (i32.const 1))
  (call $view_drop (local.get 3))
  (i32.const 112))                                                     ;; ok
