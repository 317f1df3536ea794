package dl4jbridge.fused;

/** What the configuration of a fused recurrent layer adds to the DL4J class that it extends. */
public interface FusedCell {
    /** The cell that this layer computes. */
    Cell cell();

    GradientState getGradientState();

    void setGradientState(GradientState gradientState);

    PointwiseMath getMath();

    void setMath(PointwiseMath math);
}
