package dl4jbridge.fused;

import java.nio.FloatBuffer;
import java.util.Arrays;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * Softmax and cross-entropy against class indices, in nats.
 *
 * <p>The loss clips probabilities at 1e-10 and the gradient does not, as in DL4J's LossMCXENT.
 */
final class SoftmaxCrossEntropy extends OutputLoss {
    static final double CLIP = 1e-10;
    /** Floats of a block that stays in the first-level cache. */
    private static final int BLOCK = 2048;

    private final OneHot oneHot = new OneHot();
    /** The label of (step, example) at [step * batch + example]. */
    private int[] classes;

    @Override
    boolean read(INDArray labels) {
        classes = oneHot.read(labels);
        return classes != null;
    }

    @Override
    Criterion criterion(int batch, int from, int to, int outputs) {
        return new Deltas(batch, from, to, outputs);
    }

    private final class Deltas extends Criterion {
        private final int rows;
        private final int outputs;
        private final int block; // samples
        private final Softmax softmax;
        private final float[] biases; // the same for each sample
        private final float[] x;
        private final float[] sums;
        private final float[] row;
        private final float[] logits; // of the labels

        Deltas(int batch, int from, int to, int outputs) {
            super(batch, from, to, outputs);
            this.outputs = outputs;
            rows = to - from;
            block = Math.max(1, BLOCK / outputs);
            softmax = new Softmax(outputs, block);
            biases = new float[block * outputs];
            x = new float[block * outputs];
            sums = new float[block * outputs];
            row = new float[outputs];
            logits = new float[block];
        }

        @Override
        void differentiate(FloatBuffer errors, int pitch, float[] bias, int first, int count) {
            Arrays.fill(sums, 0);
            for (int i = 0; i < block; i++) {
                System.arraycopy(bias, 0, biases, i * outputs, outputs);
            }
            int samples = count * rows;
            for (int sample = 0; sample < samples; sample += block) {
                int n = Math.min(block, samples - sample);
                Memory.getRows(errors, (long) sample * pitch, pitch, x, 0, n, outputs);
                differentiate(first, sample, n);
                Memory.putRows(errors, (long) sample * pitch, pitch, x, n, outputs);
            }
            for (int i = 0; i < block; i++) {
                System.arraycopy(sums, i * outputs, row, 0, outputs);
                PointwiseMath.add(row, biasSum, outputs);
            }
        }

        private void differentiate(int first, int sample, int n) {
            PointwiseMath.add(biases, x, n * outputs);
            for (int i = 0; i < n; i++) {
                logits[i] = x[label(first, sample, i)];
            }
            softmax.replace(x, n);
            for (int i = 0; i < n; i++) {
                int label = label(first, sample, i);
                hits += logits[i] == softmax.largest(i) ? 1 : 0;
                loss -= Math.log(Math.max(CLIP, x[label]));
                x[label] -= 1;
            }
            PointwiseMath.add(x, sums, n * outputs);
        }

        /** Index of the label of the i-th sample of a block that begins with {@code sample}. */
        private int label(int first, int sample, int i) {
            int at = sample + i;
            return i * outputs + classes[(first + at / rows) * batch + from + at % rows];
        }
    }
}
