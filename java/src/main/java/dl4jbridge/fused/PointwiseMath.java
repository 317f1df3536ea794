package dl4jbridge.fused;

/**
 * The point-wise loops of {@link LstmEquations} over flat arrays, in two precisions of tanh and of the logistic sigmoid.
 *
 * <p>Each loop reads and writes arrays from index 0, does one thing and calls nothing that the compiler does not
 * inline, so that HotSpot vectorises it.
 */
public enum PointwiseMath {
    /**
     * tanh x as x P(x^2) / Q(x^2) with |x| clipped at 8.6, the sigmoid as 1/2 + tanh(x/2)/2, without a call or a branch.
     * Largest error: 4e-7 (tanh) and 2.5e-7 (sigmoid), 7 and 4 units in the last place just below 1. Values may exceed
     * 1, or fall below 0, by 3e-7. The coefficients are a weighted least-squares fit by Lawson's algorithm on 6,000
     * Chebyshev points, with an error of 1.2e-8 before rounding; PointwiseMathTest checks every bound.
     */
    RATIONAL {
        @Override
        public void tanh(float[] x, float[] y, int n) {
            for (int i = 0; i < n; i++) {
                y[i] = rationalTanh(x[i]);
            }
        }

        @Override
        public void sigmoid(float[] z, float[] cell, float[] peephole, float[] y, int n) {
            for (int i = 0; i < n; i++) {
                y[i] = Math.fma(0.5f, rationalTanh(0.5f * Math.fma(cell[i], peephole[i], z[i])), 0.5f);
            }
        }

        @Override
        public void hidden(float[] cell, float[] output, float[] h, int n) {
            for (int i = 0; i < n; i++) {
                h[i] = output[i] * rationalTanh(cell[i]);
            }
        }
    },

    /** java.lang.Math in double precision: equal to stock DL4J to one unit in the last place of a float. */
    EXACT {
        @Override
        public void tanh(float[] x, float[] y, int n) {
            for (int i = 0; i < n; i++) {
                y[i] = (float) Math.tanh(x[i]);
            }
        }

        @Override
        public void sigmoid(float[] z, float[] cell, float[] peephole, float[] y, int n) {
            for (int i = 0; i < n; i++) {
                y[i] = (float) (1 / (1 + Math.exp(-(z[i] + cell[i] * peephole[i]))));
            }
        }

        @Override
        public void hidden(float[] cell, float[] output, float[] h, int n) {
            for (int i = 0; i < n; i++) {
                h[i] = output[i] * (float) Math.tanh(cell[i]);
            }
        }
    };

    private static final float LIMIT = 8.6f;
    private static final float P0 = 0.99999994f;
    private static final float P1 = 0.13399684f;
    private static final float P2 = 0.0035180396f;
    private static final float P3 = 2.0991341e-05f;
    private static final float P4 = 1.3912286e-08f;
    private static final float Q1 = 0.46732992f;
    private static final float Q2 = 0.025961636f;
    private static final float Q3 = 0.00033228847f;
    private static final float Q4 = 7.998624e-07f;

    /** y = tanh x; both may be the same array. */
    public abstract void tanh(float[] x, float[] y, int n);

    /** y = sigmoid(z + cell * peephole); y and z may be the same array. */
    public abstract void sigmoid(float[] z, float[] cell, float[] peephole, float[] y, int n);

    /** h = output * tanh(cell). */
    public abstract void hidden(float[] cell, float[] output, float[] h, int n);

    static float rationalTanh(float v) {
        float x = Math.max(-LIMIT, Math.min(LIMIT, v));
        float s = x * x;
        float p = Math.fma(Math.fma(Math.fma(Math.fma(P4, s, P3), s, P2), s, P1), s, P0);
        float q = Math.fma(Math.fma(Math.fma(Math.fma(Q4, s, Q3), s, Q2), s, Q1), s, 1f);
        return x * p / q;
    }

    /**
     * Several gates in one loop, with the tanh of {@link #RATIONAL}: y = slope tanh(slope z) + shift, which is a tanh for
     * 1 and 0, and a sigmoid for 1/2 and 1/2.
     */
    static void gates(float[] z, float[] slope, float[] shift, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = Math.fma(slope[i], rationalTanh(slope[i] * z[i]), shift[i]);
        }
    }

    /** The same of z + cell * peephole. */
    static void gates(float[] z, float[] cell, float[] peephole, float[] slope, float[] shift, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = Math.fma(slope[i], rationalTanh(slope[i] * Math.fma(cell[i], peephole[i], z[i])), shift[i]);
        }
    }

    /** cell = forget * before + input * block. */
    public static void cell(float[] forget, float[] before, float[] input, float[] block, float[] cell, int n) {
        for (int i = 0; i < n; i++) {
            cell[i] = forget[i] * before[i] + input[i] * block[i];
        }
    }

    /**
     * Computes the delta of the output gate and the gradient of the memory cell.
     *
     * @param dh     gradient of the unit's output
     * @param slopeTanh  the tanh that gives the slope: cellTanh, except in stock's masked steps
     * @param dCell  in: the share of the next step; out: the gradient of the memory cell
     */
    static void outputGateBackward(float[] dh, float[] output, float[] cellTanh, float[] slopeTanh, float[] peephole,
            float[] dOutput, float[] dCell, int n) {
        for (int i = 0; i < n; i++) {
            float o = output[i];
            float t = slopeTanh[i];
            float d = dh[i] * cellTanh[i] * o * (1 - o);
            dOutput[i] = d;
            dCell[i] += dh[i] * o * (1 - t * t) + d * peephole[i];
        }
    }

    /**
     * Adds the gradient of a penalty on memory cells beyond a bound: {@code weight} times the distance from the bound,
     * which counts as at most 1.
     */
    static void penalize(float[] cell, float bound, float weight, float[] dCell, int n) {
        for (int i = 0; i < n; i++) {
            float beyond = cell[i] - Math.max(-bound, Math.min(bound, cell[i]));
            dCell[i] += weight * Math.max(-1f, Math.min(1f, beyond));
        }
    }

    /** delta = dCell * other * gate (1 - gate), for the forget and the input gate. */
    static void gateBackward(float[] dCell, float[] other, float[] gate, float[] delta, int n) {
        for (int i = 0; i < n; i++) {
            float g = gate[i];
            delta[i] = dCell[i] * other[i] * g * (1 - g);
        }
    }

    /** delta = dCell * input (1 - block^2), for the block input. */
    static void blockInputBackward(float[] dCell, float[] input, float[] block, float[] delta, int n) {
        for (int i = 0; i < n; i++) {
            float a = block[i];
            delta[i] = dCell[i] * input[i] * (1 - a * a);
        }
    }

    /** Replaces dCell by its share in the gradient of the memory cell one step before. */
    static void cellBackward(float[] dCell, float[] forget, float[] dForget, float[] forgetPeephole,
            float[] dInput, float[] inputPeephole, int n) {
        for (int i = 0; i < n; i++) {
            dCell[i] = dCell[i] * forget[i] + dForget[i] * forgetPeephole[i] + dInput[i] * inputPeephole[i];
        }
    }

    /** sum += x. */
    static void add(float[] x, float[] sum, int n) {
        for (int i = 0; i < n; i++) {
            sum[i] += x[i];
        }
    }

    /** sum += x * y. */
    static void addProduct(float[] x, float[] y, float[] sum, int n) {
        for (int i = 0; i < n; i++) {
            sum[i] += x[i] * y[i];
        }
    }
}
