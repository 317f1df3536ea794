package dl4jbridge.fused;

import java.nio.FloatBuffer;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * Softmax and cross-entropy against class indices, in nats.
 *
 * <p>The loss clips probabilities at 1e-10 and the gradient does not, as in DL4J's LossMCXENT.
 */
public final class SoftmaxCrossEntropy extends OutputLoss {
    static final double CLIP = 1e-10;
    /** Below this, exp is nothing beside the largest term, which is 1. */
    private static final float SMALLEST = -87f;
    private static final float LOG2_E = 1.442695041f;
    /** ln 2 in two parts, the first with so few digits that multiples of it are exact. */
    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;
    /** Adding and subtracting 1.5 x 2^23 rounds a float to a whole number. */
    private static final float ROUND = 12582912f;

    private final OneHot oneHot = new OneHot();
    /** Of (step, example) at [step * batch + example]. */
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
        final int batch;
        final int from;
        final int rows;
        final float[] row;
        final float[] exponent;

        Deltas(int batch, int from, int to, int outputs) {
            super(outputs);
            this.batch = batch;
            this.from = from;
            rows = to - from;
            row = new float[outputs];
            exponent = new float[outputs];
        }

        @Override
        void differentiate(FloatBuffer logits, float[] bias, int first, int count) {
            int n = row.length;
            for (int sample = 0; sample < count * rows; sample++) {
                Memory.get(logits, (long) sample * n, row, n);
                PointwiseMath.add(bias, row, n);
                float max = max(row, n);
                int wanted = classes[(first + sample / rows) * batch + from + sample % rows];
                float logit = row[wanted];
                float total = exponentials(row, max, exponent, n);
                if (logit == max) {
                    hits++;
                }
                loss -= Math.log(Math.max(CLIP, Math.exp(logit - max) / total));
                scale(row, 1 / total, n);
                row[wanted] -= 1;
                PointwiseMath.add(row, biasSum, n);
                Memory.put(logits, (long) sample * n, row, n);
            }
        }
    }

    /** The largest of the first n, in four strands: one would wait for each comparison. */
    public static float max(float[] x, int n) {
        float a = Float.NEGATIVE_INFINITY;
        float b = a;
        float c = a;
        float d = a;
        int i = 0;
        for (; i + 3 < n; i += 4) {
            a = x[i] > a ? x[i] : a;
            b = x[i + 1] > b ? x[i + 1] : b;
            c = x[i + 2] > c ? x[i + 2] : c;
            d = x[i + 3] > d ? x[i + 3] : d;
        }
        for (; i < n; i++) {
            a = x[i] > a ? x[i] : a;
        }
        return Math.max(Math.max(a, b), Math.max(c, d));
    }

    /**
     * x = exp(x - max), to 2e-7 of its value, and their sum. In two loops, since HotSpot makes vector instructions of
     * the polynomial but not of the way from a float to its exponent.
     */
    public static float exponentials(float[] x, float max, float[] exponent, int n) {
        for (int i = 0; i < n; i++) {
            float v = Math.max(SMALLEST, x[i] - max);
            float k = (v * LOG2_E + ROUND) - ROUND;
            float r = Math.fma(k, -LN2_LOW, Math.fma(k, -LN2_HIGH, v));
            float p = Math.fma(r, 1f / 5040, 1f / 720);
            p = Math.fma(p, r, 1f / 120);
            p = Math.fma(p, r, 1f / 24);
            p = Math.fma(p, r, 1f / 6);
            p = Math.fma(p, r, 0.5f);
            p = Math.fma(p, r, 1f);
            x[i] = Math.fma(p, r, 1f);
            exponent[i] = k;
        }
        // In strands, for the same reason as in max.
        float a = 0;
        float b = 0;
        float c = 0;
        float d = 0;
        int i = 0;
        for (; i + 3 < n; i += 4) {
            a += x[i] *= powerOfTwo(exponent[i]);
            b += x[i + 1] *= powerOfTwo(exponent[i + 1]);
            c += x[i + 2] *= powerOfTwo(exponent[i + 2]);
            d += x[i + 3] *= powerOfTwo(exponent[i + 3]);
        }
        for (; i < n; i++) {
            a += x[i] *= powerOfTwo(exponent[i]);
        }
        return a + b + (c + d);
    }

    private static float powerOfTwo(float whole) {
        return Float.intBitsToFloat(((int) whole + 127) << 23);
    }

    private static void scale(float[] x, float factor, int n) {
        for (int i = 0; i < n; i++) {
            x[i] *= factor;
        }
    }
}
