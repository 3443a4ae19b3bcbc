"""`python -m fas_core.cli`, as PyTorch's launcher starts it."""

from fas_core.cli.main import main

if __name__ == "__main__":
    main()
