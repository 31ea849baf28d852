;; Tools that want the network.
(component
  (import "wasi:sockets/tcp@0.2.0" (instance (export "connect" (func))))
  (instance $nothing)
  (export "lapidary:plugin/tools@0.1.0" (instance $nothing)))
