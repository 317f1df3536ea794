package dl4jbridge.fused;

/**
 * The columns of DL4J's LSTM weights, in units of the layer's size H: see GravesLSTMParamInitializer and
 * LSTMParamInitializer. The names are those of Greff et al. (2017), "LSTM: A Search Space Odyssey".
 */
final class Gates {
    /** The candidate that the input gate lets into the memory cell; DL4J calls it "input activation", i. */
    static final int BLOCK_INPUT = 0;
    static final int FORGET = 1;
    static final int OUTPUT = 2;
    /** DL4J calls it "input modulation gate", g. */
    static final int INPUT = 3;
    /** Number of gate columns of W, RW and b. */
    static final int GATES = 4;

    /** Peepholes are single columns of RW after those of the gates. The block input has none. */
    static final int FORGET_PEEPHOLE = 0;
    static final int OUTPUT_PEEPHOLE = 1;
    static final int INPUT_PEEPHOLE = 2;
    static final int PEEPHOLES = 3;

    private Gates() {}
}
