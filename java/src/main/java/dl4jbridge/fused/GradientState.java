package dl4jbridge.fused;

/** The state from which the backward pass of a truncated-BPTT segment starts. */
public enum GradientState {
    /** The state from which the forward pass started: the gradient of the loss that was computed. */
    CARRIED,
    /** Zero, as in DL4J M2.1, where MultiLayerNetwork never calls tbpttBackpropGradient. */
    STOCK
}
