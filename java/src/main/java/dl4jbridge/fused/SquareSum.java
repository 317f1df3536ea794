package dl4jbridge.fused;

/** Sums squares, in as many accumulators as the longest array has elements, so that HotSpot vectorises the loop. */
final class SquareSum {
    private final float[] accumulators;

    SquareSum(int longest) {
        accumulators = new float[longest];
    }

    /** Adds the squares of the first {@code n} elements. */
    void add(float[] x, int n) {
        PointwiseMath.addProduct(x, x, accumulators, n);
    }

    double total() {
        double total = 0;
        for (float sum : accumulators) {
            total += sum;
        }
        return total;
    }
}
