"""What pip writes for the console script `test-hotreload`."""

from mypackage.walkthrough import main

main()
