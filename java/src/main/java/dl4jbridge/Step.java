package dl4jbridge;

import org.nd4j.linalg.api.ndarray.INDArray;

/** A way to update a network's parameters on one segment; {@link Network} chooses the fastest that covers it. */
interface Step {
    /**
     * Updates the parameters and carries the state to the end of the segment.
     *
     * @param x     [batch, inputs, time], FLOAT
     * @param y     [batch, outputs, time], FLOAT
     * @param seed  of the random numbers of this step
     * @return the loss, summed over time and averaged over the batch, and the accuracy or NaN
     */
    double[] run(INDArray x, INDArray y, long seed);

    /**
     * Computes the gradient, summed over the batch, into the network's gradient, and carries the state. Parameters and
     * return value are those of {@link #run}.
     */
    double[] computeGradient(INDArray x, INDArray y, long seed);

    /**
     * Updates the parameters from the network's gradient: the other half of {@link #run}.
     *
     * @param batch  number of examples that the gradient is summed over
     */
    void update(int batch);
}
