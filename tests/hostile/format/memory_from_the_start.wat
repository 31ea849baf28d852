;; Starts with 128 MiB.
(memory $memory (export "memory") 2048)
