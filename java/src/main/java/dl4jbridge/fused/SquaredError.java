package dl4jbridge.fused;

import java.nio.FloatBuffer;
import java.util.Arrays;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * Squared error under a linear or a sigmoid output: DL4J's LossMSE, or weighted as the losses of amplifier models are.
 *
 * <p>With e the output minus the label and f(t) = e(t) - p e(t - 1), e before a segment taken for 0, the loss is
 * {@code square} times the sum of all f^2, plus {@code offset} times the sum over recordings of (sum of e over time)^2.
 * Time steps before {@code from} count as without an error. LossMSE is {@code square} = 1 / outputs and nothing else.
 */
final class SquaredError extends OutputLoss {
    /** What the squares are weighted with. LossMSE's mean over the outputs is not known before the first segment. */
    static final class Weights {
        static final Weights MEAN = new Weights(Double.NaN, 0, 0, 0);
        final double square;
        final double preEmphasis;
        final double offset;
        final int from;

        Weights(double square, double preEmphasis, double offset, int from) {
            this.square = square;
            this.preEmphasis = preEmphasis;
            this.offset = offset;
            this.from = from;
        }
    }

    /** Floats that a thread turns at a time. */
    private static final int CHUNK = 1024;

    private final boolean sigmoid;
    private Weights weights = Weights.MEAN;
    private Memory labelScratch;
    private Memory labels; // [steps, batch, outputs]

    SquaredError(boolean sigmoid) {
        this.sigmoid = sigmoid;
    }

    void weigh(Weights weights) {
        if (sigmoid && (weights.preEmphasis != 0 || weights.offset != 0 || weights.from != 0)) {
            throw new IllegalArgumentException("pre-emphasis, offset and a later start are for linear outputs");
        }
        this.weights = weights;
    }

    @Override
    boolean read(INDArray labels) {
        if (labels.rank() != 3 || labels.dataType() != DataType.FLOAT) {
            return false;
        }
        labelScratch = Sequence.scratch(labels, labelScratch);
        this.labels = Sequence.rows(labels, labelScratch);
        return true;
    }

    @Override
    boolean looksAround() {
        return weights.preEmphasis != 0 || weights.offset != 0 || weights.from != 0;
    }

    @Override
    Stretch stretch(float[] bias) {
        return new Deltas(bias);
    }

    private final class Deltas extends Stretch {
        Deltas(float[] bias) {
            super(bias);
            hits = Double.NaN; // there are no classes
        }

        @Override
        void differentiate(FloatBuffer errors, int batch, int first, int count) {
            int n = bias.length;
            int rows = looksAround() ? count : Math.min(count, Math.max(1, CHUNK / n));
            float[] tiledBias = new float[rows * n];
            for (int i = 0; i < tiledBias.length; i++) {
                tiledBias[i] = bias[i % n];
            }
            FloatBuffer wanted = labels.view();
            float[] z = new float[rows * n];
            float[] y = new float[rows * n];
            float[] sum = new float[rows * n];
            double square = Double.isNaN(weights.square) ? 1.0 / n : weights.square;
            for (int row = first; row < first + count; row += rows) {
                int size = Math.min(rows, first + count - row) * n;
                Memory.get(errors, (long) row * n, z, size);
                Memory.get(wanted, (long) row * n, y, size);
                PointwiseMath.add(tiledBias, z, size);
                if (looksAround()) {
                    loss += around(z, y, size, batch * n, square);
                } else {
                    loss += square * (sigmoid ? throughSigmoid(z, y, (float) square, size)
                            : linear(z, y, (float) square, size));
                }
                PointwiseMath.add(z, sum, size);
                Memory.put(errors, (long) row * n, z, size);
            }
            for (int i = 0; i < sum.length; i++) {
                biasSum[i % n] += sum[i];
            }
        }

        /** Replaces the output by the gradient of the loss there, and gives the loss. Neighbours are `next` apart. */
        private double around(float[] z, float[] y, int size, int next, double square) {
            float p = (float) weights.preEmphasis;
            float[] filtered = new float[size];
            double[] offsets = new double[next];
            int start = Math.min(weights.from * next, size);
            Arrays.fill(z, 0, start, 0);
            Arrays.fill(y, 0, start, 0);
            for (int i = start; i < size; i++) {
                float e = z[i] - y[i];
                z[i] = e;
                filtered[i] = i < next ? e : e - p * (y[i - next]);
                y[i] = e;
                offsets[i % next] += e;
            }
            double total = 0;
            for (int i = start; i < size; i++) {
                float later = i + next < size ? filtered[i + next] : 0;
                total += square * filtered[i] * filtered[i];
                z[i] = (float) (2 * square * (filtered[i] - p * later) + 2 * weights.offset * offsets[i % next]);
            }
            for (double offset : offsets) {
                total += weights.offset * offset * offset;
            }
            return total;
        }
    }

    /** z = 2 square (z - y); gives the sum of (z - y)^2. */
    static double linear(float[] z, float[] y, float square, int n) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            float e = z[i] - y[i];
            sum += (double) e * e;
            z[i] = 2 * square * e;
        }
        return sum;
    }

    /** The same with the sigmoid of z. */
    static double throughSigmoid(float[] z, float[] y, float square, int n) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            float a = 0.5f + 0.5f * PointwiseMath.rationalTanh(0.5f * z[i]);
            float e = a - y[i];
            sum += (double) e * e;
            z[i] = 2 * square * e * a * (1 - a);
        }
        return sum;
    }
}
