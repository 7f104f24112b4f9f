"""What a lesson's frozen configuration computes; `<name>_config` is torch-free, `<name>` runs in a worker."""
