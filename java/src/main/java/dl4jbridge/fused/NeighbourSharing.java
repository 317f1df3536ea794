package dl4jbridge.fused;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;

/**
 * Shares the gradient of each class with its neighbours, so that a step that learns from sample value 127 also learns
 * about 126 and 128. To a one-hot network the classes are strangers, and a rare one is learned from its own samples only.
 *
 * <p>The gradient g of a weight over the classes becomes {@code (I + K) g} with {@code K[i][j] = decay^|i - j|}. This
 * matrix is positive definite: a preconditioner, under which the loss has the same minima. Two recursive filters apply
 * it, one in each direction.
 */
public final class NeighbourSharing {
    /** Updates over which the share grows to its full size: a copy first has to tell neighbours apart. */
    static final int GROWTH = 200;
    /** Weights to filter at once, side by side. */
    private static final int WIDTH = 16;

    /** Weights that each have one value for each class, {@code stride} apart. */
    private static final class Weights {
        final long start;
        final int count;
        final int step; // from one weight to the next
        final int stride; // from one class to the next
        final int classes;

        Weights(long start, int count, int step, int stride, int classes) {
            this.start = start;
            this.count = count;
            this.step = step;
            this.stride = stride;
            this.classes = classes;
        }
    }

    private final Memory gradient;
    private final List<Weights> all = new ArrayList<>();
    private final float decay;

    private NeighbourSharing(MultiLayerNetwork net, float decay) {
        gradient = Memory.of(net.getFlattenedGradients());
        this.decay = decay;
    }

    /**
     * @param net      with a recurrent layer first and an output layer last
     * @param input    whether the input is one-hot
     * @param output   whether the output is a softmax
     * @param decay    share of a class's gradient that its neighbour gets, from 0 (nothing is shared) to below 1
     */
    public static NeighbourSharing of(MultiLayerNetwork net, boolean input, boolean output, double decay) {
        NeighbourSharing sharing = new NeighbourSharing(net, (float) decay);
        if (decay == 0) {
            return sharing;
        }
        if (input) {
            // [classes, 4 * hidden] in 'f' order, at the start of the flat vector
            int classes = (int) net.getLayer(0).getParam("W").size(0);
            int columns = (int) net.getLayer(0).getParam("W").size(1);
            sharing.all.add(new Weights(0, columns, classes, 1, classes));
        }
        if (output) {
            // [hidden, classes] in 'f' order and [classes], at the end of the flat vector
            int hidden = (int) net.getOutputLayer().getParam("W").size(0);
            int classes = (int) net.getOutputLayer().getParam("W").size(1);
            long end = sharing.gradient.length();
            sharing.all.add(new Weights(end - (long) (hidden + 1) * classes, hidden, 1, hidden, classes));
            sharing.all.add(new Weights(end - classes, 1, 1, 1, classes));
        }
        return sharing;
    }

    /**
     * Changes the network's gradient.
     *
     * @param iteration  number of earlier updates
     */
    public void apply(int iteration) {
        float now = decay * Math.min(iteration, GROWTH) / GROWTH;
        for (Weights weights : all) {
            int blocks = (weights.count + WIDTH - 1) / WIDTH;
            Workers.run(blocks, block -> share(weights, block * WIDTH, now));
        }
        gradient.keep();
    }

    /** Shares the gradient of up to {@link #WIDTH} weights from {@code first} on. */
    private void share(Weights weights, int first, float decay) {
        int width = Math.min(WIDTH, weights.count - first);
        int classes = weights.classes;
        float[] values = new float[classes * width]; // [class, weight]
        FloatBuffer view = gradient.view();
        long start = weights.start + (long) first * weights.step;
        if (weights.stride > 1) {
            Memory.getRows(view, start, weights.stride, values, 0, classes, width);
            Memory.putRows(view, start, weights.stride, shared(values, width, decay), classes, width);
            return;
        }
        float[] line = new float[classes];
        for (int i = 0; i < width; i++) {
            Memory.get(view, start + (long) i * weights.step, line, classes);
            for (int c = 0; c < classes; c++) {
                values[c * width + i] = line[c];
            }
        }
        float[] shared = shared(values, width, decay);
        for (int i = 0; i < width; i++) {
            for (int c = 0; c < classes; c++) {
                line[c] = shared[c * width + i];
            }
            Memory.put(view, start + (long) i * weights.step, line, classes);
        }
    }

    /** {@code (I + K)} times a matrix of [classes, width]. */
    private static float[] shared(float[] values, int width, float decay) {
        float[] shared = values.clone();
        float[] below = new float[width]; // decayed sum of this class and those below
        float[] above = new float[width];
        for (int row = 0; row < values.length; row += width) {
            for (int i = 0; i < width; i++) {
                below[i] = values[row + i] + decay * below[i];
                shared[row + i] += below[i];
            }
        }
        for (int row = values.length - width; row >= 0; row -= width) {
            for (int i = 0; i < width; i++) {
                float fromAbove = decay * above[i];
                shared[row + i] += fromAbove;
                above[i] = values[row + i] + fromAbove;
            }
        }
        return shared;
    }
}
