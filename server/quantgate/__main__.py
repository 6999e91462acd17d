"""`python -m quantgate` is `quantgate`."""

from .cli import main

raise SystemExit(main())
