from dl4j_bridge.cli import main

main()
