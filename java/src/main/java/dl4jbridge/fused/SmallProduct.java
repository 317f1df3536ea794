package dl4jbridge.fused;

import java.lang.ref.Reference;
import java.nio.FloatBuffer;

/**
 * The sums of a small layer for one sample, over units, inputs and bias, as one product by OpenBLAS.
 *
 * <p>With few columns, HotSpot's loops ({@link SampleProduct}) spend most of their time on the 16 columns before and after
 * their vectors. OpenBLAS's kernels for small matrices have no such columns. The product has the same shape for every
 * sample, and so the same bits.
 */
final class SmallProduct {
    /** Largest number of weights. They fit into the first-level cache; more are read as fast by loops. */
    private static final int MOST_WEIGHTS = 12_000;

    private final int size;
    private final int inputs;
    private final int rows;
    private final int columns;
    private final Memory weights; // [unit, input, bias; gate and unit]
    private final Memory factors; // outputs of the units, inputs, 1
    private final Memory sums;
    private final FloatBuffer factorsView;
    private final FloatBuffer sumsView;
    private final Memory.Window weightsAt;
    private final Memory.Window factorsAt;
    private final Memory.Window sumsAt;

    /**
     * @param recurrent  [unit][gate and unit]
     * @param input      [input][gate and unit]
     * @param bias       [gate and unit]
     */
    SmallProduct(float[][] recurrent, float[][] input, float[] bias) {
        size = recurrent.length;
        inputs = input.length;
        rows = size + inputs + 1;
        columns = bias.length;
        weights = Memory.allocate((long) rows * columns);
        factors = Memory.allocate(rows);
        sums = Memory.allocate(columns);
        factorsView = factors.view();
        sumsView = sums.view();
        weightsAt = weights.window();
        factorsAt = factors.window();
        sumsAt = sums.window();
        FloatBuffer view = weights.view();
        for (float[] row : recurrent) {
            view.put(row);
        }
        for (float[] row : input) {
            view.put(row);
        }
        view.put(bias);
        factorsView.put(rows - 1, 1f);
    }

    /** True for a layer that is faster this way. */
    static boolean suits(int size, int inputs) {
        int columns = Gates.GATES * size;
        return inputs <= columns && (size + inputs + 1) * columns <= MOST_WEIGHTS;
    }

    /** Sets {@code z} to the sums. {@code x} and {@code z} may be the same array. */
    void put(float[] h, float[] x, float[] z) {
        Memory.put(factorsView, 0, h, size);
        Memory.put(factorsView, size, x, inputs);
        Gemm.row(columns, rows, factorsAt, weightsAt, sumsAt);
        Reference.reachabilityFence(this);
        Memory.get(sumsView, 0, z, columns);
    }
}
